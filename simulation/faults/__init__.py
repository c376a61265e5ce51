"""The desk's nodes in one process, over links that lose and break, each killed at any moment and started again.

`life` is a process and its death, `network` what lies between processes, `disk` what a process leaves behind. `nodes`
are the desk's cores in such processes, `desk` all of them under a plan of faults from a seed, and `truths` what must
hold whatever happens. Nothing sleeps, and nothing is drawn but from the seed: a failure comes again as often as asked.
"""
