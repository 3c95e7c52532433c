"""What the commands under tools/ share. Standard library only: these run before any virtual environment exists."""
