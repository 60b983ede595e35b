"""Networks as judges of windows: of a run, under torch; of an exported model, under onnxruntime."""
