"""Everything from recordings to a run folder, and what a run is worth.

Audio goes from `data` (and `render`, which makes more of them of scores) through `windows` to `fit`, which
trains `networks` by `recipes`; `judging` asks what came of it, `calibrating` and `concerts`
fit what goes with it, `pages` tells it; `table` does all of it for every row of the seed's table.
"""
