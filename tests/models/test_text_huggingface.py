"""Encoders of the transformers library, on a tiny one made here: nothing is downloaded."""

import io
import sys
import warnings

import pytest
import torch
from torch.nn import functional

pytest.importorskip("transformers")
pytest.importorskip("peft")

from stagewise.compression.quiet import quiet_export
from stagewise.models.huggingface import HuggingFaceEncoder, own_numbers
from stagewise.tasks.weights import load_weights, save_weights

WORDS = ["[PAD]", "good", "bad", "[UNK]", "film", "[CLS]", "[MASK]", "plot", "[SEP]", "actor", "a", "the"]
OWN = [0, 3, 6, 5, 1, 2, 4, 7, 8, 9, 10, 11]
LORA = {"rank": 2, "alpha": 4, "dropout": 0.1, "targets": ["query", "value"]}
SHAPE = (10, len(WORDS))


@pytest.fixture(autouse=True)
def _foreign_warnings():
    """Their libraries warn about each other's ways."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=FutureWarning)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A BERT of two layers with random weights, and its tokeniser."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast
    from transformers.utils import logging

    logging.disable_progress_bar()
    path = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
    config = BertConfig(vocab_size=len(WORDS), max_position_embeddings=12, pad_token_id=0, **sizes)
    BertModel(config).save_pretrained(path)
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 5), ("[SEP]", 8)])
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "mask", "cls", "sep")}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(path)
    return path


def build(folder, **arguments):
    torch.manual_seed(1)
    return HuggingFaceEncoder(SHAPE, 3, source=str(folder), **arguments)


def rows():
    """[CLS] words [SEP] in the project's numbers, of two lengths."""
    ours = {own: number for number, own in enumerate(OWN)}
    texts = [[5, 10, 1, 4, 8], [5, 2, 8]]
    return torch.tensor([[ours[own] for own in text] + [0] * (5 - len(text)) for text in texts])


def test_answers_are_those_of_the_model_on_its_own_tokens(folder):
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    theirs = tokenizer(["a good film", "bad"], padding=True, return_tensors="pt")
    assert [OWN[number] for number in rows()[0]] == theirs["input_ids"][0].tolist()
    states = model(**theirs).last_hidden_state
    for pool in ("cls", "mean"):
        network = build(folder, pool=pool).eval()
        lengths = theirs["attention_mask"].sum(1, keepdim=True)
        summary = states[:, 0] if pool == "cls" else (states * theirs["attention_mask"][..., None]).sum(1) / lengths
        torch.testing.assert_close(network(rows()), network.head(summary), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_padding_changes_no_answer(folder, pool):
    network = build(folder, pool=pool).eval()
    together = network(rows())
    torch.testing.assert_close(network(functional.pad(rows(), (0, 5))), together, rtol=0, atol=1e-5)
    torch.testing.assert_close(network(rows()[1:, :3])[0], together[1], rtol=0, atol=1e-5)
    assert network(torch.zeros(1, 4, dtype=torch.int64)).isfinite().all()


@pytest.mark.parametrize("lora", [None, LORA], ids=["full", "lora"])
def test_trains_what_it_should(folder, lora):
    network = build(folder, lora=lora)
    assert all(module.training for module in network.modules())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-2)
    for _ in range(2):  # the first step moves one factor of each adapter away from zero, the second the other
        optimizer.zero_grad()
        functional.cross_entropy(network(rows()), torch.tensor([0, 2])).backward()
        optimizer.step()
    assert all(parameter.grad is not None for parameter in trained)
    moved = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    if lora is None:
        assert moved == set(before)
    else:
        assert moved == {name for name in before if "lora_" in name or name.startswith("head.")}
        assert sum("lora_" in name for name in moved) == 2 * 2 * 2


def test_an_adapter_begins_as_nothing(folder):
    full, adapted = build(folder).eval(), build(folder, lora=LORA).eval()
    adapted.head.load_state_dict(full.head.state_dict())
    torch.testing.assert_close(adapted(rows()), full(rows()))


@pytest.mark.parametrize("lora", [None, LORA], ids=["full", "lora"])
def test_weights_survive_the_file(folder, tmp_path, lora):
    network, other = build(folder, lora=lora).eval(), build(folder, lora=lora).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    assert not torch.allclose(network(rows()), other(rows()), atol=1e-3)
    save_weights(network.state_dict(), tmp_path / "model.safetensors")
    load_weights(other, tmp_path / "model.safetensors")
    assert torch.equal(network(rows()), other(rows()))


def test_export_agrees_at_any_batch_size_and_length(folder):
    onnxruntime = pytest.importorskip("onnxruntime")
    network = build(folder, lora=LORA, pool="mean").eval()
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
    with quiet_export(), torch.no_grad():
        program = torch.onnx.export(network, (rows(),), dynamo=True, dynamic_shapes=(axes,), verbose=False)
    buffer = io.BytesIO()
    program.save(buffer)
    session = onnxruntime.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])
    (source,) = session.get_inputs()
    assert source.shape == ["batch", "length"]
    for size, length in [(1, 3), (3, 10), (2, 1)]:
        tokens = torch.randint(0, len(WORDS), (size, length))
        tokens[0, 2:] = 0
        (logits,) = session.run(None, {source.name: tokens.numpy()})
        torch.testing.assert_close(torch.from_numpy(logits), network(tokens).detach(), rtol=1e-4, atol=1e-5)


def test_own_numbers_put_special_tokens_first():
    assert own_numbers([0, 3, 6, 5], 12) == OWN
    assert own_numbers([1, 3, None, 0], 6) == [1, 3, 1, 0, 2, 4, 5]
    with pytest.raises(ValueError, match="no padding token"):
        own_numbers([None, 0, 1, 2], 6)


@pytest.mark.parametrize(
    ("shape", "arguments", "message"),
    [
        ((10, 50), {}, "written in 50 tokens, but .* knows 12"),
        ((13, 12), {}, "up to 13 tokens are longer than the 12 places"),
        (SHAPE, {"pool": "max"}, "pool must be mean or cls"),
        (SHAPE, {"lora": {"ranks": 2}}, "lora has no key 'ranks'; it has rank, alpha, dropout, targets"),
        (SHAPE, {"lora": {"rank": 0}}, "lora.rank must be a whole number of at least 1, not 0"),
        (SHAPE, {"lora": {"dropout": 1.0}}, "0 <= dropout < 1, not 16.0 and 1.0"),
        (SHAPE, {"lora": {"targets": ["no_such_layer"]}}, "no_such_layer"),
    ],
    ids=["vocabulary", "length", "pool", "lora key", "rank", "lora dropout", "targets"],
)
def test_what_does_not_fit_is_told(folder, shape, arguments, message):
    with pytest.raises(ValueError, match=message):
        HuggingFaceEncoder(shape, 3, source=str(folder), **arguments)


@pytest.mark.parametrize("revision", [None, "main", "a" * 39])
def test_a_name_on_the_hub_needs_a_commit(revision):
    with pytest.raises(ValueError, match="needs a revision: the 40 digits of a commit"):
        HuggingFaceEncoder(SHAPE, 3, source="owner/model", revision=revision)


@pytest.mark.parametrize("source", ["../no/such/folder", "https://example.org/model", ""])
def test_a_missing_folder_is_told(source):
    with pytest.raises(ValueError, match="is neither a folder nor a name on the hub"):
        HuggingFaceEncoder(SHAPE, 3, source=source)


def test_weights_in_other_formats_are_refused(folder, tmp_path):
    for file in folder.iterdir():
        if file.suffix == ".json":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"no encoder can be read from .*safetensors"):
        build(tmp_path)


def test_weights_of_another_network_are_refused(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tensors = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if "layer.1." not in name}
    save_file(kept, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=r"lack 16 tensors of the encoder"):
        build(tmp_path)


def test_a_folder_without_a_tokeniser_is_told(folder, tmp_path):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(ValueError, match="tokeniser"):
        build(tmp_path)


@pytest.mark.parametrize(("library", "lora"), [("transformers.utils", None), ("peft", LORA)], ids=["whole", "lora"])
def test_a_missing_extra_is_told(folder, monkeypatch, library, lora):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ValueError, match=r"pip install 'stagewise\[huggingface\]'"):
        build(folder, lora=lora)
