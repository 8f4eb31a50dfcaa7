"""What somebody is told: their inbox, the channels they are told over, and how soon they hear of what."""
