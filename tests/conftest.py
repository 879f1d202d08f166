"""What tests of every folder share."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # no test leaves this machine
