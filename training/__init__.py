"""Everything from recordings to a run folder, and what a run is worth.

Audio goes from `recordings` (and `render`, which makes more of them of scores) through `banks` to `learning`, which
trains `networks` by `recipes`, `teachers` at their side; `judging` asks what came of it, `calibrating` and `concerts`
fit what goes with it, `pages` tells it; `table` does all of it for every row of the seed's table.
"""
