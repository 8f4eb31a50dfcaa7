"""Reports: figures of each period as a file, of an organization or of the platform."""
