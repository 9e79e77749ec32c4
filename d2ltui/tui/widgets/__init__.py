"""What a person sees, a file each."""
