"""The collector of cycles leaves alone what a process has started with."""

import gc

from runtime import collector


def test_objects_created_at_start_are_not_collected_again():
    thresholds, started_with = gc.get_threshold(), ["a container"]
    try:
        gc.disable()
        collector.freeze_startup_objects()
        assert gc.isenabled()
        assert not any(each is started_with for each in gc.get_objects())
        assert gc.get_threshold() == (collector.YOUNG, *thresholds[1:])
    finally:
        gc.enable()
        gc.unfreeze()
        gc.set_threshold(*thresholds)


def test_nothing_is_collected_while_modules_are_imported():
    with collector.collection_paused():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_collections_that_were_off_before_stay_off():
    with collector.collection_paused():
        with collector.collection_paused():
            pass
        assert not gc.isenabled()
