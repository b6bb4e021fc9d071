"""What the generator has found, made small: by what holds, rows, rules and writes.

Each failed before what it shows was mended, and is played with all others on each database.
"""

FOUND = {
    "an aggregate over rows that are one or none is reconciled": """
save(Area(code="a", number=1, rank=4), {})
# ---
register(Owner, int_n=Max("area__rank"))
# ---
Owner.objects.create(area=row(Area, 0))
""",
    "a generic relation is walked back from its source": """
save(Owner(name="ann"), {})
save(Item(owner=row(Owner, 0), name="it"), {})
# ---
register(Comment, char_n=F("owner__name"), text_n=Min("item__toys__name"))
# ---
save(Comment(about=row(Owner, 0)), {})
save(row(Owner, 0), dict(name="bob"))
save(row(Comment, 0), dict(about=row(Item, 0)))
Toy.objects.create(item=row(Item, 0), name="top")
Comment.objects.update(object_id=None)
""",
    "an extreme is kept in a field of another number type": """
save(Tag(), {})
# ---
register(Tag, flt_n=Min("tag_comments__rank"), dec2_n=Max("tag_comments__size"))
# ---
Comment.objects.create(tag=row(Tag, 0), rank=5, size=1)
Comment.objects.create(tag=row(Tag, 0), rank=2, size=7)
row(Comment, 1).delete()
""",
    "a subquery that Django knows to be empty is NULL in an UPDATE": """
save(Tag(heat=0.5), {})
# ---
register(Tag, flt_n=Subquery(Tag.objects.filter(parent=OuterRef("pk"), w__in=[]).values("heat")))
# ---
Tag.objects.create(parent=row(Tag, 0), heat=1.5)
save(row(Tag, 1), dict(heat=2.5))
""",
    "a new row compares what it copies": """
save(Tag(took=dt.timedelta(hours=2), w=3), {})
# ---
register(Tag, int_n=Case(When(parent__took__exact=F("parent__took"), then=F("parent__w"))))
# ---
Tag.objects.create(parent=row(Tag, 0))
Tag.objects.create(parent=row(Tag, 2))
""",
    "a new row holds what its column holds of a number with more places": """
save(Tag(price=Decimal("2.25"), heat=0.25), {})
# ---
register(Tag, dec0_n=F("parent__price"), dec1=Coalesce("parent__heat", 0.0))
# ---
Tag.objects.create(parent=row(Tag, 0))
Tag.objects.bulk_create([Tag(parent=row(Tag, 0)), Tag(parent=row(Tag, 1))])
""",
    "a default that the column rounds is not shown as it was given": """

# ---
register(Owner, dec1=Sum("card__fee", default=Decimal("2.25")))
# ---
Owner.objects.create()
""",
    "a null of JSON is not NULL": """
save(Area(code="a", number=1, specs=Value(None, JSONField())), {})
save(Owner(home=row(Area, 0)), {})
# ---
register(Owner, json_n=F("home__specs"))
# ---
Owner.objects.create(home=row(Area, 0))
Owner.objects.bulk_create([Owner(home=row(Area, 0)), Owner()])
""",
    "a new row asks whether something refers to what it refers to": """
save(Owner(name="ann"), {})
# ---
register(Card, char_n=Case(When(owner__card__isnull=False, then=F("owner__name"))))
# ---
Card.objects.create(owner=row(Owner, 0))
""",
    "depends_on reads what a multi-table child has from its parent": """
save(Owner(), {})
save(Special(owner=row(Owner, 0), size=1), {})
# ---
register(Toy, depends_on=["special"],
    int_n=RawSQL("(SELECT size FROM declarations_item WHERE id = special_id)", []))
# ---
Toy.objects.create(special=row(Special, 0))
save(row(Special, 0), dict(size=2))
Item.objects.update(size=3)
""",
    "a row whose key must be there and names none, as it has no constraint": """
save(Depot(code="d", uid=UUID(int=1), since="2020-01-01", worth=1), {})
# ---
register(Supply, int_=Count("area__owners"), dec4=Sum("area__size"), char=F("area__name"))
# ---
Supply.objects.create(depot=row(Depot, 0), area_id="c7")
Area.objects.create(code="c7", number=7, size=2, name="a")
save(row(Supply, 0), dict(area_id="c8"))
Supply.objects.update(area_id="c7")
Supply.objects.update(area_id="c8")
""",
    "an aggregate that nothing can match is a number in an opaque subquery too": """
save(Area(code="a", number=1), {})
# ---
register(Area, depends_on=["residents"],
    flt_n=Subquery(Area.objects.filter(pk=OuterRef("pk"))
        .annotate(value=Avg("residents__heat", filter=Q(residents__w__in=[]))).values("value")))
# ---
Owner.objects.create(home=row(Area, 0))
""",
    "a new row adds up aggregates that are over no rows": """

# ---
register(Tag, flt_n=(Min("children__heat") + (Max("children__heat") - F("heat"))))
# ---
Tag.objects.create()
""",
    "what a database makes of dates is stored by itself": """
save(Area(code="a", number=1, day=dt.date(2024, 1, 7)), {})
save(Owner(area=row(Area, 0), at="2024-06-02T09:10:00Z", day=dt.date(2024, 1, 7)), {})
save(Tag(), {})
# ---
register(Area, day_n=Min(TruncMonth("owners__day"), default=dt.date(2024, 1, 1)),
    at_n=Max(TruncHour("owners__at", tzinfo=UTC)))
register(Owner, day_n=TruncMonth(F("area__day")))
register(Card, at_n=TruncHour(F("owner__at"), tzinfo=UTC))
# ---
Card.objects.create(owner=row(Owner, 0))
Owner.objects.create(area=row(Area, 0), day=dt.date(2023, 12, 31), at="2024-06-02T09:20:00Z")
row(Owner, 1).delete()
save(row(Owner, 0), dict(at="2024-06-03T00:10:00Z"))
""",
    "a key of two columns is looked for beyond a relation of a model with itself": """
save(Area(code="a", number=1), {})
save(Owner(), {})
save(Owner(), {})
row(Owner, 0).follows.add(row(Owner, 1))
save(Spot(area=row(Area, 0), number=5, owner=row(Owner, 1)), {})
# ---
register(Owner, int_n=Max("follows__spots__size"))
register(Area, text_n=Coalesce(Min("spots__owner__note"), Max("near__spots__area__name")))
# ---
save(row(Spot, 0), dict(size=2))
row(Spot, 0).delete()
""",
    "a row of a key of two columns is locked on the way to others": """
save(Area(code="a", number=1), {})
save(Spot(area=row(Area, 0), number=3, rank=2), {})
save(Depot(code="d", uid=UUID(int=1), since=dt.date(2020, 1, 1), worth=1, size=5), {})
# ---
register(Lamp, int_n=Min(F("spot__area__depots__size") * Coalesce(F("spot__rank"), Value(-3))))
# ---
save(Lamp(w=-2), {})
save(Lamp(spot=row(Spot, 0)), {})
""",
    "a row whose key must be there and names none is one of NULLs, in subqueries too": """
save(Depot(size=1, code="c5", uid=UUID(int=6), since=dt.date(2020, 1, 7), worth=8.5), {})
# ---
register(Supply, int_=Count(F("depot__day"), distinct=True) - Count("area__owners__area"))
# ---
save(Supply(rank=2, w=7, depot=row(Depot, 0), area_id="c4"), {})
""",
}
