"""The load tool behind `palaver bench`: scenarios, the plan that the native load core carries out, figures, plots.

Nothing is imported here: a plan needs neither plots nor tables.
"""
