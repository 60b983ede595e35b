"""From recordings to a run folder, and how good a run is.

Audio goes from `data` (and `render`, which makes more of it from scores) through `windows` to `fit`, which trains
`networks` by `recipes`. `evaluate` measures runs, models and `taggers` on held-out recordings, `simulate` makes
concerts to measure events on, `report` shows what was found. `baselines` is the original project's table, `cli` the
verbs.
"""
