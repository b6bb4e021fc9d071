"""What an UPDATE of targets says of itself."""

import pytest

from syncfields.targets.updates import Update
from tests.hub.models import Post

NOTHING = Update(Post, {1: {}, 2: {}})
SOMETHING = {
    "added to": Update(Post, {1: {}, 2: {"comment_count": 1}}),
    "what joined an extreme": Update(Post, {1: {}}, joined={2: {"last_comment": ("gt", 1)}}),
    "what left one": Update(Post, {1: {}}, left={2: {"last_comment": ("gt", 1)}}),
    "evaluated anew": Update(Post, {1: {}}, anew={"last_comment": {2}}),
    "evaluated already": Update(Post, {1: {}}, fixed={"last_comment": {2: 1}}),
}


def test_rows_that_are_named_and_not_written_are_nothing_to_send():
    assert NOTHING.is_empty
    assert NOTHING.names == set()
    assert NOTHING.pks == [1, 2]


@pytest.mark.parametrize("update", SOMETHING.values(), ids=SOMETHING)
def test_whatever_is_written_to_any_row_is_something(update):
    assert not update.is_empty
    assert len(update.names) == 1
    assert update.pks == [1, 2]
