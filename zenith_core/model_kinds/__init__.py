"""The kinds of model: the task of each, its configuration, and the table of all. No numpy: the client loads it.

Training, replay and comparison are in zenith_pipelines.
"""
