"""Lilliput: agent workflows on a crew of small ONNX models, measured against one larger model."""

__version__ = "0.1.0"
