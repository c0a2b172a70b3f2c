"""All studies as one page to look at and listen to."""

from common.page.page import MARK as MARK
from common.page.page import page_of as page_of
