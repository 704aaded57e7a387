"""By what cases are counted; every command line is made with it, so that it needs nothing."""

#: Columns of the registry by which cases are counted; the tumor type by default.
GROUPS = ("tumor_type", "sex", "age", "site", "scanner")
