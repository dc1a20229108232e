from lora_lab.models import catalogue, loading, sources
from tests.expecting import lab_error


def test_a_model_in_the_box_is_there_without_asking_anybody(saved, monkeypatch):
    folder, _ = saved("llama")
    boxed = catalogue.Model(folder.name, "", "MIT", 64, 28_000, 120_000, bundled=True)
    monkeypatch.setattr(catalogue, "CATALOGUE", [boxed])
    monkeypatch.setattr(sources, "assets", lambda: folder.parent)
    assert sources.fetch(folder.name) == sources.Local(folder, "bundled", folder.name)
    assert sources.is_here(folder.name) and boxed.sources == ["bundled"]
    with lab_error("unknown_model"):
        sources.fetch("")


def test_a_folder_is_used_where_it_lies(saved, monkeypatch):
    folder, _ = saved("llama")
    local = sources.fetch(str(folder))
    assert local == sources.Local(folder, f"folder:{folder}", str(folder))
    monkeypatch.chdir(folder.parent)
    assert sources.fetch(f"./{folder.name}") == local


def test_a_model_of_the_catalogue_is_known_by_its_folder_too(tmp_path, monkeypatch):
    boxed = catalogue.find("tiny-stories")
    folder = sources.fetch("tiny-stories").folder
    assert sources.known("tiny-stories") == sources.known(str(folder)) == boxed
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    assert sources.known("./link") == boxed
    assert sources.known(str(tmp_path)) is None and sources.known("a\0b") is None


def test_one_model_from_two_places_says_which_and_is_told_apart_by_its_bits(saved, tmp_path):
    from tests import tiny_models

    tiny_models.save("llama", tmp_path, seed=1)
    one, other = sources.fetch(str(saved("llama")[0])), sources.fetch(str(tmp_path))
    assert one.source != other.source
    assert loading.base_hash(one.folder) != loading.base_hash(other.folder)


def test_a_path_that_cannot_be_one_is_no_model():
    for ref in ("~nobody-of-that-name/x", "a\0b", "x/" * 3000):
        assert not sources.is_here(ref)
        with lab_error("unknown_model"):
            sources.fetch(ref)
