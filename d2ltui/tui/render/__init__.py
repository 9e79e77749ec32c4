"""What a frame draws and sends."""
