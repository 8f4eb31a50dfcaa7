"""Pages of the platform's own roles; each noun's folder has its pages below `/console/platform`."""
