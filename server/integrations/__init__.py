"""One module for each outside service: a Protocol, the real one and the null one."""
