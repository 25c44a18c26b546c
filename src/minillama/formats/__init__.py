"""The layouts in which the world keeps Llamas, read with suspicion, written plainly.

Four programs store the same tensors under other names, in another order of rows, in
one file or in many. Each module knows one layout; ``open_file`` tells them apart.

- ``huggingface``: config.json and safetensors, one file or shards with an index
- ``meta``: params.json and consolidated.NN.pth, each file a slice of every matrix
- ``llama2c``: one .bin, a header of seven numbers and then float32 upon float32
- ``gguf``: what llama.cpp reads; written here, never read

A checkpoint is a stranger's file. Nothing in it is executed, no size in it is believed
before it is compared with the bytes on disk, and no path in it leads out of its folder.
The room imports the model and the helpers, nothing above them.
"""
