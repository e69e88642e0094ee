"""The robots: their kinematics and their files."""
