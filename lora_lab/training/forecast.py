"""What a run will take, from shapes and settings alone: arithmetic, no model, no torch.

Memory is counted by tensor; time by multiplications, at the rate this machine was measured at.
"""
