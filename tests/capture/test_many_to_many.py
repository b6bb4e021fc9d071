"""Many-to-many relations, from both sides and by the rows between."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from tests.statements import number_of_statements, sent
from tests.testapp import models as zoo
from tests.truth import assert_truth

pytestmark = pytest.mark.django_db


@pytest.fixture
def tracks():
    return [zoo.Track.objects.create(minutes=minutes) for minutes in (5, 10, 20)]


@pytest.fixture
def playlists(tracks):
    playlists = [zoo.Playlist.objects.create() for _ in range(3)]
    playlists[0].tracks.set(tracks)
    playlists[1].tracks.set(tracks[:1])
    return playlists


LINKS = {
    "add": lambda p, t: p[2].tracks.add(t[0], t[2].pk),
    "add an existing link": lambda p, t: p[0].tracks.add(*t),
    "add from the far side": lambda p, t: t[1].playlists.add(*p),
    "create": lambda p, t: p[1].tracks.create(minutes=30),
    "create from the far side": lambda p, t: t[1].playlists.create(),
    "remove": lambda p, t: p[0].tracks.remove(t[2]),
    "remove what is not there": lambda p, t: p[1].tracks.remove(t[2]),
    "remove from the far side": lambda p, t: t[0].playlists.remove(*p),
    "set": lambda p, t: p[1].tracks.set(t[1:]),
    "set anew": lambda p, t: p[0].tracks.set(t[:2], clear=True),
    "set from the far side": lambda p, t: t[0].playlists.set([p[2]]),
    "clear": lambda p, t: p[0].tracks.clear(),
    "clear from the far side": lambda p, t: t[0].playlists.clear(),
    "get or create": lambda p, t: p[1].tracks.get_or_create(minutes=40),
    "through: create": lambda p, t: link_model().objects.create(playlist=p[2], track=t[1]),
    "through: bulk_create": lambda p, t: link_model().objects.bulk_create(
        [link_model()(playlist=p[2], track=each) for each in t]
    ),
    "through: update": lambda p, t: link_model().objects.filter(playlist=p[1]).update(track=t[2]),
    "through: save": lambda p, t: moved(link_model().objects.get(playlist=p[1]), playlist=p[2]),
    "through: delete": lambda p, t: link_model().objects.filter(track=t[0]).delete(),
    "through: delete one": lambda p, t: link_model().objects.get(playlist=p[1]).delete(),
    "the far end is deleted": lambda p, t: t[2].delete(),
    "the near end is deleted": lambda p, t: p[0].delete(),
    "the far end changes": lambda p, t: moved(t[0], minutes=50),
    "the far ends change": lambda p, t: zoo.Track.objects.update(minutes=11),
}


def link_model():
    return zoo.Playlist.tracks.through


def moved(row, **values):
    vars(row).update({row._meta.get_field(name).attname: key(v) for name, v in values.items()})
    row.save()


def key(value):
    return getattr(value, "pk", value)


@pytest.mark.parametrize("name", LINKS)
def test_many_to_many_is_kept_from_both_sides_and_between(tracks, playlists, name):
    LINKS[name](playlists, tracks)

    assert_truth()


@pytest.fixture
def musicians():
    return [zoo.Musician.objects.create(fame=fame) for fame in (1, 2, 4, 8)]


def test_a_symmetrical_many_to_many(musicians):
    ann, bob, cem, dan = musicians
    ann.friends.add(bob, cem)
    assert_truth()
    dan.friends.set([ann, cem])
    assert_truth()
    ann.friends.add(ann)
    assert_truth()
    bob.friends.remove(ann)
    assert_truth()
    moved(cem, fame=16)
    assert_truth()
    cem.friends.clear()
    assert_truth()
    ann.delete()

    assert_truth()


def test_a_many_to_many_with_a_through_model_of_its_own(musicians):
    band, other = zoo.Band.objects.create(), zoo.Band.objects.create()
    band.members.add(*musicians[:2], through_defaults={"active": False})
    assert_truth()
    band.members.add(musicians[2])
    band.members.create(fame=9, through_defaults={"active": True})
    assert_truth()
    musicians[0].bands.set([band, other], through_defaults={"active": True})
    assert_truth()
    zoo.Membership.objects.filter(band=band).update(active=True)
    assert_truth()
    zoo.Membership.objects.bulk_create(
        zoo.Membership(band=other, musician=each, active=each.fame > 1) for each in musicians
    )
    assert_truth()
    moved(zoo.Membership.objects.filter(band=band).first(), band=other)
    assert_truth()
    band.members.remove(musicians[2])
    assert_truth()
    musicians[3].delete()
    assert_truth()
    other.members.clear()

    assert_truth()


def test_statements_do_not_grow_with_the_links(tracks):
    few, many = zoo.Playlist.objects.create(), zoo.Playlist.objects.create()
    more = [zoo.Track.objects.create(minutes=3) for _ in range(40)]

    assert number_of_statements(lambda: many.tracks.add(*more)) == number_of_statements(
        lambda: few.tracks.add(*tracks[:2])
    )

    assert number_of_statements(many.tracks.clear) == number_of_statements(few.tracks.clear)
    assert_truth()


def test_one_update_for_each_end(tracks):
    """Beside the INSERT: for each end one SELECT of what the links add, and the UPDATEs."""
    playlist = zoo.Playlist.objects.create()

    with sent() as statements:
        playlist.tracks.add(*tracks[:2])
    with sent() as again:
        playlist.tracks.add(*tracks[:2])

    assert (statements.updates(zoo.Playlist), statements.updates(zoo.Track)) == (1, 1)
    assert len(again) <= 5
    assert again.updates(zoo.Playlist) == again.updates(zoo.Track) == 0
    assert_truth()


@pytest.mark.django_db(transaction=True)
def test_the_same_link_is_added_by_several_at_once():
    playlist = zoo.Playlist.objects.create()
    tracks = [zoo.Track.objects.create(minutes=minutes) for minutes in (1, 2, 4)]
    start = threading.Barrier(4)

    def add(_):
        start.wait()
        try:
            for track in tracks:
                playlist.tracks.add(track)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(4)))

    assert zoo.Playlist.objects.get().track_count == 3
    assert_truth()


def test_many_to_many_add_of_more_rows_than_a_statement_has_terms():
    playlist = zoo.Playlist.objects.create()
    zoo.Track.objects.bulk_create(zoo.Track(minutes=number % 20) for number in range(1500))

    playlist.tracks.add(*zoo.Track.objects.all())

    assert zoo.Playlist.objects.get().track_count == 1500
    assert_truth()
    playlist.tracks.set(zoo.Track.objects.filter(minutes=10))

    assert zoo.Playlist.objects.get().track_count == 75
    assert_truth()
