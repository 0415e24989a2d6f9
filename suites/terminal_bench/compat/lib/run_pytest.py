import sys

import pytest

sys.exit(pytest.console_main())
