"""The recipe of the embedders that Spotter ships, from pictures to the files in `models/`.

    recipes    what is trained: width, starting weights, how long (facts, no torch)
    data       the pictures, in memory, and which of them a batch shows
    augment    what a camera does to a picture, at random
    start      the public weights: a local file, or fetched and verified
    layers     the convolutions of a .tflite as real numbers
    network    MobileNetV1 with an embedding head, in PyTorch
    loss       additive-margin cosine
    distil     what a larger network teaches beside it
    run        the training itself: checkpoints, resume, progress
    head       fitted in closed form after the training
    convert    network → float .tflite → int8 .tflite
    ship       the model, its description and its log, written where they are wanted
    smoke      everything in minutes on drawn products alone
    protocol   what embedders tell apart, ours and the public ones (needs no torch)
    surgery    public classifiers cut behind their pooling, for the protocol

`python -m tools.train --help`. Needs the extra `train` (PyTorch, ai-edge-quantizer); the protocol does not.
"""
