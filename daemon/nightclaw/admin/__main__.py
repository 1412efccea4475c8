"""`python -m nightclaw.admin VERB …`"""

import sys

from nightclaw.admin.cli import admin_main

if __name__ == "__main__":
    sys.exit(admin_main(sys.argv[1:]))
