"""Property tests on machines that are busy with other things: few examples, and no clock."""

from hypothesis import settings

settings.register_profile("lab", deadline=None, max_examples=40)
settings.load_profile("lab")
