"""What :mod:`bench.cold_start` runs, a script a process: all do the same job, as their authors document it."""
