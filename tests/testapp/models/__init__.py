"""A small zoo: each shape of relation once, with rules of every kind of maintenance.

Each file is a little world of its own. ``tests/truth.py`` says again, by hand, what every synced
field here has to be.
"""

from tests.testapp.models.abstract import Box, BoxEntry, Counted, Folder, FolderEntry
from tests.testapp.models.chains import Coach, Passenger, Ticket
from tests.testapp.models.composite_keys import Mascot, Seat, Team, Visit
from tests.testapp.models.computed_columns import Beat, Monitor, RisingField
from tests.testapp.models.constraints import Entry, Wallet
from tests.testapp.models.costs import Book, Publisher, Shelf, Unwatched
from tests.testapp.models.database_on_delete import (
    DB_CASCADE,
    DB_SET_DEFAULT,
    DB_SET_NULL,
    Crate,
    DefaultCrate,
    DefaultDepot,
    DefaultTruck,
    Depot,
    Farm,
    Grain,
    Label,
    Market,
    NullCrate,
    NullDepot,
    NullTruck,
    Seal,
    Silo,
    Truck,
)
from tests.testapp.models.foreign_keys import (
    Blog,
    BlogProxy,
    Comment,
    Follower,
    Post,
    PublicComment,
    PublicManager,
    Reaction,
)
from tests.testapp.models.generic import (
    Album,
    Clip,
    Document,
    DocumentTag,
    Page,
    Photo,
    Tag,
    Tagged,
    TextTag,
)
from tests.testapp.models.maintenance import (
    AT_HOME,
    Bee,
    CopyBee,
    CopyHive,
    DeltaBee,
    DeltaHive,
    ExtremeBee,
    ExtremeHive,
    Flower,
    Hive,
    RecomputeBee,
    RecomputeHive,
    Swarm,
    TallyBee,
    TallyHive,
    hive_key,
)
from tests.testapp.models.managers import LiveManager, OpenManager, Project, Task
from tests.testapp.models.many_to_many import Band, Membership, Musician, Playlist, Track
from tests.testapp.models.memory import Cup, Tray
from tests.testapp.models.multi_table import Dish, Place, Restaurant, Review, Zone
from tests.testapp.models.names import QUALIFIED, City, Country, Parcel, Receipt, Stamp, Till
from tests.testapp.models.on_delete import HOME, Keeper, Pet, home_keeper
from tests.testapp.models.one_to_one import Badge, Card, Login, Passport, Profile
from tests.testapp.models.several_relations import Club, Fan, Match, Transfer
from tests.testapp.models.to_field import Customer, Line, Order
from tests.testapp.models.touched import Reply, Thread, Topic
from tests.testapp.models.trees import Category
from tests.testapp.models.values import Gadget, Licence, Maker, Part
