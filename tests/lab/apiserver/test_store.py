"""The store, used in this process by the stand-ins."""

import threading
from itertools import islice

import pytest

from tests.lab.apiserver import (
    CONFIGMAPS,
    JSON_PATCH,
    PODS,
    StatusError,
    Store,
)


def test_subscription_delivers_in_order_and_filters(store: Store) -> None:
    with store.subscribe(CONFIGMAPS) as subscription:
        store.update(PODS, "ns", "shell", lambda pod: pod["metadata"].update(labels={"a": "b"}))
        store.update(CONFIGMAPS, "ns", "cm", lambda cm: cm["data"].update(n="1"))
        store.update(CONFIGMAPS, "ns", "cm", lambda cm: cm["data"].update(n="2"))
        store.delete(CONFIGMAPS, "ns", "cm")
        events = list(islice(subscription, 3))
        assert subscription.next(timeout=0.01) is None
    assert [(event.type, event.object["data"]["n"]) for event in events] == [
        ("MODIFIED", "1"),
        ("MODIFIED", "2"),
        ("DELETED", "2"),
    ]


def test_closing_a_subscription_wakes_its_reader(store: Store) -> None:
    subscription = store.subscribe()
    seen: list[object] = []
    reader = threading.Thread(target=lambda: seen.extend(subscription))
    reader.start()
    subscription.close()
    reader.join(10)
    assert not reader.is_alive()
    assert seen == []


def test_update_loses_nothing_among_threads(store: Store) -> None:
    def count() -> None:
        for _ in range(100):
            store.update(
                CONFIGMAPS, "ns", "cm", lambda cm: cm["data"].update(n=str(int(cm["data"]["n"]) + 1))
            )

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get(CONFIGMAPS, "ns", "cm")["data"] == {"n": "400"}


def test_manifests_belong_to_the_caller(store: Store) -> None:
    store.get(CONFIGMAPS, "ns", "cm")["data"]["n"] = "mine"
    store.list(CONFIGMAPS)[0]["data"]["n"] = "mine"
    assert store.get(CONFIGMAPS, "ns", "cm")["data"] == {"n": "0"}


def test_json_patch_needs_a_list(store: Store) -> None:
    # The real client cannot send this: it changes the content type of an object.
    with pytest.raises(StatusError) as caught:
        store.patch(CONFIGMAPS, "ns", "cm", {}, JSON_PATCH)
    assert caught.value.code == 400
