"""A new version takes over: started, decided by what is measured, and told."""
