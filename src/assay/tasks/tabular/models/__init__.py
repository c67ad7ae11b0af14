"""The kinds of model: each fits, answers, becomes plain arrays, and writes itself as ONNX nodes."""
