"""From a pixel to a motion: grasp search, placing, and the phases that an arm goes through."""
