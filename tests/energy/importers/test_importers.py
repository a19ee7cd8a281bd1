"""Logs of other tools become runs that every other verb works on."""

import ast
import csv
import json
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from energy.cli import command
from energy.importers import codecarbon_csv
from energy.importers.kinds import IMPORTERS
from energy.record import RunRecord
from tests.energy.importers.samples import DATA, SAMPLES


def energy(*words):
    return CliRunner().invoke(command(), list(map(str, words)), env={"COLUMNS": "200"})


def imported(folder, text, *options):
    """The record of a log with this text."""
    folder.mkdir(exist_ok=True)
    (folder / "log").write_text(text)
    done = energy("import", folder / "log", "--out", folder / "run", *options)
    assert done.exit_code == 0, done.output + repr(done.exception)
    return RunRecord.load(folder / "run")


def refusal(folder, text, *options):
    """The error of a log with this text."""
    (folder / "log").write_text(text)
    done = energy("import", folder / "log", "--out", folder / "run", *options)
    assert done.exception is not None
    assert not (folder / "run").exists(), "nothing is left behind"
    return str(done.exception)


@pytest.fixture(params=SAMPLES, ids=lambda sample: sample.file)
def sample(request):
    return request.param


def test_a_log_is_known_by_its_content_and_has_its_joules(sample, tmp_path):
    run = tmp_path / "run"
    done = energy("import", DATA / sample.file, "--out", run, *sample.options)
    assert done.exit_code == 0, done.output
    assert f"(--from {sample.kind})" in done.output
    record = RunRecord.load(run)
    total = record.totals[sample.boundary]
    assert total.value == pytest.approx(sample.joules, rel=sample.relative)
    assert total.low < total.value < total.high, "the band is that of the tool's sensor"
    assert record.environment["imported_kind"] == sample.kind
    assert "imported from" in record.notes[0]


def test_other_verbs_work_on_an_imported_run(sample, tmp_path):
    run = tmp_path / "run"
    energy("import", DATA / sample.file, "--out", run, *sample.options)
    joules = RunRecord.load(run).totals[sample.boundary].value
    verified = energy("verify", run)
    assert verified.exit_code == 0, verified.output
    assert energy("report", run).exit_code == 0
    assert energy("list", tmp_path).exit_code == 0
    # Importing it again and merging both counts no joule twice.
    energy("import", DATA / sample.file, "--out", tmp_path / "again", *sample.options)
    assert energy("merge", run, tmp_path / "again", "--out", tmp_path / "all").exit_code == 0
    assert RunRecord.load(tmp_path / "all").totals[sample.boundary].value == pytest.approx(joules)
    # The ledger alone gives the same joules.
    (run / "record.json").unlink()
    assert energy("record", run).exit_code == 0
    assert RunRecord.load(run).totals[sample.boundary].value == pytest.approx(joules)


@pytest.mark.parametrize(
    ("file", "ended"),
    [
        ("codecarbon.csv", "2024-03-30T11:27:11+00:00"),
        ("ipmi.txt", "2026-11-29T09:53:27+00:00"),
        ("zeus.csv", "2026-11-29T09:38:49+00:00"),
    ],
)
def test_what_is_disclosed_of_a_log_has_the_time_of_the_run_and_not_of_its_import(
    file, ended, tmp_path
):
    energy("import", DATA / file, "--out", tmp_path / "run")
    points = json.loads(energy("report", tmp_path / "run", "--format", "otel").stdout)
    metric = points["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]
    moment_s = int(metric["sum"]["dataPoints"][0]["timeUnixNano"]) / 1e9
    assert moment_s == pytest.approx(datetime.fromisoformat(ended).timestamp(), abs=1)
    options = ("--format", "csv", "--zone", "FRA")
    (row,) = csv.DictReader(energy("report", tmp_path / "run", *options).stdout.splitlines())
    assert row["timestamp"] == ended


def test_a_log_without_days_has_the_time_of_its_import(tmp_path):
    energy("import", DATA / "chip-hours.csv", "--out", tmp_path / "run")
    assert "ended_utc" not in RunRecord.load(tmp_path / "run").environment


def test_what_no_meter_read_is_not_called_read(tmp_path):
    energy("import", DATA / "chip-hours.csv", "--out", tmp_path / "hours")
    assert "no meter read" in RunRecord.load(tmp_path / "hours").notes[0]
    energy("import", DATA / "codecarbon.csv", "--out", tmp_path / "tool")
    assert "what that tool read" in RunRecord.load(tmp_path / "tool").notes[0]


def test_every_kind_has_a_sample_and_the_scrapes_of_dcgm_a_test():
    kinds = {importer.kind for importer in IMPORTERS}
    assert kinds == {sample.kind for sample in SAMPLES} | {"dcgm"}


def test_every_kind_is_in_the_docs():
    page = Path("docs/import.md").read_text()
    for importer in IMPORTERS:
        assert f"`{importer.kind}`" in page


def test_origins_are_those_of_the_tool(tmp_path):
    record = imported(tmp_path, (DATA / "codecarbon.csv").read_text())
    origins = {entry.device: entry.origin for entry in record.energy}
    assert origins == {"gpu": "measured", "cpu": "modelled", "ram": "assumed"}
    total = record.totals["chip"]
    # 0.012249, 0.015585 and 0.022896 of 0.050729 kWh
    assert total.shares["measured"] == pytest.approx(0.2415, abs=1e-3)
    assert total.shares["modelled"] == pytest.approx(0.3072, abs=1e-3)
    assert total.shares["assumed"] == pytest.approx(0.4513, abs=1e-3)


def test_the_pue_that_codecarbon_put_into_its_joules_counts_once(tmp_path):
    header, row = (DATA / "codecarbon.csv").read_text().splitlines()
    names, cells = header.split(","), row.split(",")
    own = dict(zip(names, cells, strict=True))
    parts = ("cpu_energy", "gpu_energy", "ram_energy", "energy_consumed")
    raised = own | {name: str(1.5 * float(own[name])) for name in parts} | {"pue": "1.5"}
    text = "\n".join([",".join(raised), ",".join(raised.values())])
    record = imported(tmp_path, text, "--pue", "1.5")
    # As without a PUE: 0.050729 kWh at the boards, the processor and the memory.
    assert record.totals["chip"].value == pytest.approx(182_625.8)
    raised_by = record.totals["facility"].value / record.totals["it"].value
    assert raised_by == pytest.approx(1.5)
    assert any("PUE of 1.5 was taken out" in note for note in record.notes)


def test_a_table_that_we_wrote_ourselves_is_not_imported_as_joules_of_chips(tmp_path):
    energy("import", DATA / "zeus.csv", "--out", tmp_path / "first")
    ours = energy("report", tmp_path / "first", "--format", "csv", "--zone", "FRA").stdout
    assert "energy report --format csv" in refusal(tmp_path, ours)


def test_a_pue_of_two_thousand_is_a_damaged_line(tmp_path):
    header, row = (DATA / "codecarbon.csv").read_text().splitlines()
    own = dict(zip(header.split(","), row.split(","), strict=True)) | {"pue": "2000"}
    refusal(tmp_path, "\n".join([",".join(own), ",".join(own.values())]))


def test_rows_of_one_run_of_codecarbon_are_running_totals(tmp_path):
    text = (DATA / "codecarbon.csv").read_text()
    header, row = text.splitlines()
    cells = row.split(",")
    half = [*cells]
    for place, name in enumerate(header.split(",")):
        if name in ("duration", "cpu_energy", "gpu_energy", "ram_energy", "energy_consumed"):
            half[place] = str(float(cells[place]) / 2)
    record = imported(tmp_path, "\n".join([header, ",".join(half), row]) + "\n")
    assert record.totals["chip"].value == pytest.approx(182_625.8, rel=1e-6)
    assert any("running totals" in note for note in record.notes)


def test_codecarbon_writes_the_columns_that_are_needed():
    """Of the installed version; its module is parsed and not started."""
    spec = find_spec("codecarbon")
    folder = Path(spec.submodule_search_locations[0])
    tree = ast.parse((folder / "output_methods" / "emissions_data.py").read_text())
    columns = {node.target.id for node in ast.walk(tree) if isinstance(node, ast.AnnAssign)}
    assert set(codecarbon_csv.NEEDED) <= columns


def test_two_runs_in_a_file_have_a_folder_each(tmp_path):
    text = (DATA / "codecarbon.csv").read_text()
    header, row = text.splitlines()
    (tmp_path / "emissions.csv").write_text("\n".join([header, row, row.replace("84ad", "95be")]))
    done = energy("import", tmp_path / "emissions.csv", "--out", tmp_path / "runs")
    assert done.exit_code == 0
    assert len(list((tmp_path / "runs").glob("*/record.json"))) == 2


def test_mig_instances_that_show_the_whole_board_count_once(tmp_path):
    line = 'DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{gpu="0",UUID="GPU-a",GPU_I_ID="{}"}} {}\n'
    scrapes = [line.format(i, mj) for mj in (1_000_000, 1_250_000) for i in (3, 5, 6)]
    record = imported(tmp_path, "".join(scrapes), "--interval", 1)
    assert record.totals["chip"].value == pytest.approx(250.0)
    assert any("MIG" in note for note in record.notes)


def test_scrapes_without_a_moment_need_their_interval(tmp_path):
    text = (DATA / "dcgm.txt").read_text()
    later = text.replace(" 48287135", " 48577375")
    assert "--interval" in refusal(tmp_path, text + later)
    record = imported(tmp_path, text + later, "--interval", 20)
    assert record.totals["chip"].value == pytest.approx(290.24)
    assert record.labels["chip"], "a Tesla T4 is in the catalog"


def test_a_range_of_another_metric_is_refused_by_name(tmp_path):
    answer = json.loads((DATA / "prometheus.json").read_text())
    for series in answer["data"]["result"]:
        series["metric"]["__name__"] = "node_hwmon_power"
    assert "no line with joules or watts" in refusal(tmp_path, json.dumps(answer))


def test_a_moment_of_four_hundred_digits_is_a_damaged_value(tmp_path):
    """One of 10,005 mutated logs ended in a traceback."""
    text = (DATA / "prometheus.json").read_text().replace("[1795945166,", f"[{10**400},", 1)
    record = imported(tmp_path, text)
    assert record.totals["chip"].value == pytest.approx(392.087, rel=0.01)
    mlperf = (DATA / "mlperf.txt").read_text().replace("1795945156000", str(10**400), 1)
    assert "left out" in " ".join(imported(tmp_path / "m", mlperf).notes)


def test_boards_that_a_log_does_not_tell_apart_are_refused(tmp_path):
    words = refusal(tmp_path, (DATA / "nvidia-smi.csv").read_text())
    assert "--chips N" in words


def test_a_failed_reading_of_nvidia_smi_is_missing_and_not_zero(tmp_path):
    lines = ["timestamp, index, power.draw [W]"]
    lines += [
        f"2026/03/07 00:00:{s:02}.000, 0, {'[N/A]' if s > 20 else '300.00 W'}" for s in range(60)
    ]
    record = imported(tmp_path, "\n".join(lines))
    (missing,) = [entry for entry in record.energy if entry.origin == "missing"]
    assert missing.seconds == pytest.approx(38, abs=4)


def test_negative_watts_are_no_joules(tmp_path):
    lines = ["timestamp, index, power.draw [W]"]
    lines += [f"2026/03/07 00:00:{s:02}.000, 0, {-300 if s == 7 else 300}.00 W" for s in range(60)]
    record = imported(tmp_path, "\n".join(lines))
    assert record.totals["chip"].value == pytest.approx(300 * 59, rel=0.02)
    assert any("below 0" in note for note in record.notes)


def test_a_job_without_joules_is_no_job_of_zero_joules(tmp_path):
    words = refusal(tmp_path, "JobID|Elapsed|ConsumedEnergyRaw\n7|00:10:00|0\n7.0|00:10:00|0\n")
    assert "AcctGatherEnergyType" in words


def test_a_unit_that_cannot_be_true_is_refused(tmp_path):
    """A GJ in ten minutes of one node would be 1.7 MW."""
    words = refusal(tmp_path, "JobID|Elapsed|ConsumedEnergyRaw\n7|00:10:00|1000000000\n")
    assert "1.67 MW" in words


def test_joules_of_one_board_need_the_number_of_boards(tmp_path):
    assert "--chips" in refusal(tmp_path, (DATA / "megatron.log").read_text())
    line = "using world size: 8, data-parallel size: 8\n"
    record = imported(tmp_path, line + (DATA / "megatron.log").read_text())
    assert record.totals["chip"].value == pytest.approx(47_641.6)


def test_a_line_of_megatron_stands_for_all_iterations_since_the_one_before(tmp_path):
    """Joules are the mean of an iteration; with --log-interval 10 a line stands for ten."""
    text = (DATA / "megatron.log").read_text()
    for iteration, stamp, later in (
        (292, "20:55:02.918469", "20:50:02.918469"),
        (293, "20:55:05.956222", "20:55:10.000000"),
        (294, "20:55:08.991445", "21:00:17.000000"),
    ):
        spaced = 292 + 101 * (iteration - 292)
        text = text.replace(f"   {iteration}/", f"   {spaced}/").replace(stamp, later)
    record = imported(tmp_path, text, "--chips", 8)
    # Iterations 292, 393 and 494 are 101 apart.
    assert record.totals["chip"].value == pytest.approx(101 * 47_641.6)


@pytest.mark.parametrize(
    "stamp",
    ["Tue Nov 24 09:46:0{} 2015", "03/06/2025 07:40:0{} UTC", "10/08/2026 06:02:0{} PM EDT"],
)
def test_stamps_of_ipmitool_in_three_forms(stamp, tmp_path):
    """op-test-framework, a collector of metrics, and LibreNMS's tests show one each."""
    block = (
        "    Instantaneous power reading:                   297 Watts\n"
        "    Minimum during sampling period:                284 Watts\n"
        "    IPMI timestamp:                           {}\n"
        "    Sampling period:                          00010000 Milliseconds\n"
        "    Power reading state is:                   activated\n\n"
    )
    record = imported(tmp_path, "".join(block.format(stamp.format(s)) for s in range(6)))
    assert record.totals["node"].value == pytest.approx(297 * 5, rel=0.01)


def test_readings_of_a_meter_that_is_off_are_none(tmp_path):
    text = (DATA / "ipmi.txt").read_text()
    off = text.replace("2026\n", "2026\n    Power reading state is: deactivated\n")
    assert "two readings or more" in refusal(tmp_path, off)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "an empty file"),
        ("a\0b", "no text"),
        ("hello\nworld\n", "none of them knows"),
        ("start_time,window_name,elapsed_time,gpu0_energy\n", "no line with joules or watts"),
        ("timestamp, power.draw [W]\n2026/13/07 00:00, x\n", "no line with joules or watts"),
    ],
)
def test_what_is_no_log_is_refused(text, words, tmp_path):
    assert words in refusal(tmp_path, text)


def test_a_missing_file_a_wrong_kind_and_a_full_folder_are_refused(tmp_path):
    assert "nowhere" in str(energy("import", tmp_path / "nowhere").exception)
    zeus = DATA / "zeus.csv"
    assert "kind of log" in str(energy("import", zeus, "--from", "zeuss").exception)
    wrong = energy("import", zeus, "--from", "sacct", "--out", tmp_path / "x")
    assert "expected a table of sacct" in str(wrong.exception)
    assert energy("import", zeus, "--out", tmp_path / "run").exit_code == 0
    again = energy("import", zeus, "--out", tmp_path / "run")
    assert "choose another with --out" in str(again.exception)
    odd = energy("import", zeus, "--out", tmp_path / "b", "--timezone", "Europe/Atlantis")
    assert odd.exception is not None or odd.exit_code == 0


def test_json_is_one_document_and_the_site_is_applied(tmp_path):
    done = CliRunner().invoke(
        command(),
        ["import", str(DATA / "zeus.csv"), "--out", str(tmp_path / "r"), "--zone", "US", "--json"],
    )
    (record,) = json.loads(done.stdout)["records"]
    assert record["labels"]["zone"] == "US"
    assert record["co2_location_g"]["value"] > 0


def test_a_zone_that_does_not_exist_is_refused_even_where_the_log_needs_none(tmp_path):
    done = energy("import", DATA / "zeus.csv", "--out", tmp_path / "run", "--timezone", "Mars/One")
    assert "a time zone" in str(done.exception)
    assert not (tmp_path / "run").exists()


def test_notes_on_jobs_name_no_line_and_count_one_step_as_one(tmp_path):
    text = "JobID|Elapsed|ConsumedEnergyRaw\n1|01:00:00|3600000\n1.batch|01:00:00|9\n2|00:10:00|0\n"
    notes = imported(tmp_path, text, "--from", "sacct").notes
    assert any(note.startswith("1 step is a part of the job") for note in notes)
    assert "job 2 is left out: it has no joules or no duration" in notes
