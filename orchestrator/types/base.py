"""What every noun is made of: the frozen record and the shared vocabularies."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

Json = dict[str, Any]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=80)]
Source = Literal["measured", "modelled", "declared"]
RuntimeName = Literal["encoder", "genai", "torch", "remote", "fasttext", "scripted"]
Capability = Literal[
    "generate", "json-schema", "logprobs", "embed", "detect-language", "classify", "tag", "score-pairs"
]
# In JSON in one order, whatever the hash seed: two dumps of one thing must be equal.
Capabilities = Annotated[frozenset[Capability], PlainSerializer(sorted, list[str], when_used="json")]
Device = Literal["cpu", "cuda", "auto"]
Precision = Literal["float32", "bfloat16", "float16", "int8", "int4", "native"]


class Record(BaseModel):
    """A frozen value. Unknown fields are errors, so that a typo in YAML never passes silently."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())
