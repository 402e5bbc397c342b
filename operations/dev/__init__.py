"""What `manage.py dev` is made of: the first run, the parts as child processes, the banner."""
