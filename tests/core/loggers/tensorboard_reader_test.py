"""What TensorBoard's own reader makes of the files that tensorboard_writer left in a directory."""
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata, plugin_data_pb2

directory = sys.argv[1] + "/tb/version_0"
events = EventAccumulator(directory, size_guidance={"histograms": 0, "tensors": 0, "scalars": 0})
events.Reload()

scalars = [(e.step, e.value) for e in events.Scalars("loss")]
expected = [(0, 1.0), (1, 0.5), (2, 1 / 3), (3, 0.25), (4, 0.2), (5, 0.125)]
assert [s for s, _ in scalars] == [s for s, _ in expected], scalars
assert all(abs(a - b) < 1e-7 for (_, a), (_, b) in zip(scalars, expected)), scalars
assert [e.value for e in events.Scalars("hp_metric")] == [-1.0]
assert "val/loss" in events.Tags()["scalars"]

(histogram,) = events.Histograms("weights")
value = histogram.histogram_value
assert histogram.step == 2 and (value.min, value.max, value.num, value.sum) == (-1.0, 2.0, 5.0, 2.0), value
assert sum(value.bucket) == 5 and value.sum_squares == 5.5, value
for limit, count in zip(value.bucket_limit, value.bucket):
    assert count in (0, 1, 2)

(note,) = events.Tensors("notes")
assert note.step == 3 and note.tensor_proto.string_val == [b"some *markdown*"], note
assert events.SummaryMetadata("notes").plugin_data.plugin_name == "text"


def hparams(tag):
    content = events.SummaryMetadata(tag).plugin_data.content
    return plugin_data_pb2.HParamsPluginData.FromString(content)


session = hparams(metadata.SESSION_START_INFO_TAG).session_start_info.hparams
assert session["lr"].number_value == 0.5 and session["name"].string_value == "a text"
assert session["net/deep"].bool_value is True and session["none"].WhichOneof("kind") == "null_value"
experiment = hparams(metadata.EXPERIMENT_TAG).experiment
assert [info.name for info in experiment.hparam_infos] == ["lr", "name", "net/deep", "none"]
assert experiment.metric_infos[0].name.tag == "hp_metric"
print("TensorBoard reads all of it")
