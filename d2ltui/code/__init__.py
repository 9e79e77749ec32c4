"""A run written out as the book would write it: source code that needs PyTorch, and nothing of this program.

`script` is the whole of it, with both implementations; `scratch` and `concise` are the two, line by line, each line
with the part of a training step that it belongs to. Templates of text: neither PyTorch nor numpy is imported for them.
"""
