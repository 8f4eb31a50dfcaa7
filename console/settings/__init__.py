"""The settings of an organization: what stands on top of all of its pages, and their overview."""
