"""Killed, obstructed, raced for, with a wrong clock: what was acknowledged is there, and goes on."""

import os

import pytest
from harness.clocks import set_back
from harness.kills import FLOOR, kill_writers
from harness.obstructions import KINDS, obstruct, small_ground
from harness.outages import end_server
from harness.racing import race_for_devices


@pytest.mark.timeout(120)
def test_what_killed_writers_acknowledged_is_there(ground, nursery):
    assert kill_writers(ground, nursery, kills=8).acknowledged >= 8 * FLOOR


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_what_many_killed_writers_acknowledged_is_there(ground, nursery, request):
    kills = request.config.getoption("--kills", default=200)
    assert kill_writers(ground, nursery, kills=kills).acknowledged >= kills * FLOOR


@pytest.mark.timeout(120)
def test_each_device_has_one_history_though_eight_processes_want_it(ground, nursery):
    # four devices among eight hands: most who ask are refused, and how many depends on who runs when
    assert race_for_devices(ground, nursery, check_outs=600).acknowledged >= 8 * FLOOR


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_devices_have_one_history_each(ground, nursery, request):
    calls = request.config.getoption("--race", default=10_000)
    assert race_for_devices(ground, nursery, check_outs=calls).acknowledged >= calls // 8


@pytest.mark.parametrize("name", [name for name in KINDS if name != "full_disk"])
def test_an_obstacle_is_told_and_work_goes_on_after_it(file_ground, nursery, name):
    assert obstruct(file_ground, nursery, name).acknowledged >= 12


def test_a_full_disk_is_told_and_work_goes_on_after_it(nursery, tmp_path):
    with small_ground(tmp_path) as ground:
        if ground is None:
            reason = "no file system can be mounted here" + ("" if os.geteuid() else ", as root")
            pytest.skip(reason)
        assert obstruct(ground, nursery, "full_disk").acknowledged >= 12


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", ["kill", "stop_immediately"])
def test_a_server_that_ends_under_its_writers_loses_nothing(own_server, nursery, how):
    assert end_server(own_server(), nursery, how, times=1).acknowledged >= 10


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("how", ["kill", "stop_immediately"])
def test_a_server_that_ends_again_and_again_loses_nothing(own_server, nursery, how):
    assert end_server(own_server(), nursery, how, times=6).acknowledged >= 60


def test_a_clock_that_is_set_back_changes_no_order(ground):
    assert set_back(ground).acknowledged == 60


def test_the_floor_is_one_that_an_idle_writer_fails(file_ground, nursery):
    """A writer that is killed before it has done anything acknowledges nothing."""
    writers = [{"name": "w", "seed": "1", "url": file_ground.url, "people": 1, "devices": 1}]
    file_ground.settle(people=1, devices=1)
    [worker] = nursery.run("write", writers, kill_within=0.0)
    assert len([w for w in worker.words if w[0] == "done"]) < FLOOR
