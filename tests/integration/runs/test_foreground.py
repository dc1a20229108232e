"""A training on the command line, in this process, beside people who wait."""

from lora_lab.cli.foreground import follow


def test_a_run_that_let_others_go_first_goes_on_though_no_server_is_there(queued):
    run, seen = queued(steps=200, checkpoint_every=1), []

    def tell(event):
        seen.append(event["kind"])
        if seen.count("checkpoint") == 1 and event["kind"] == "checkpoint":
            run.ask_to_stop(for_now=True)

    follow(run, tell)
    assert run.status()["state"] == "done"
    assert run.result()["steps"] == 200
    assert seen.count("end") == 2
