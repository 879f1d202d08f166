"""What tests of every folder share."""

import os

from hypothesis import settings

os.environ["HF_HUB_OFFLINE"] = "1"  # no test leaves this machine
settings.register_profile("patient", deadline=None)  # how long an example takes depends on who else computes
settings.load_profile("patient")
