"""The layers, one idea a file; `base` says what a layer is, `sequential` puts them in a row."""

from nnscratch.layers.activations import LeakyReLU, ReLU, Sigmoid, Tanh
from nnscratch.layers.base import Composite, Layer
from nnscratch.layers.convolution import Conv2D, Conv2DTranspose
from nnscratch.layers.dense import Dense
from nnscratch.layers.dropout import Dropout
from nnscratch.layers.normalization import BatchNormalization
from nnscratch.layers.pooling import AveragePooling2D, MaxPooling2D
from nnscratch.layers.reshaping import Flatten, Reshape
from nnscratch.layers.sampling import GaussianSampling
from nnscratch.layers.sequential import Sequential
from nnscratch.layers.upsampling import UpSampling2D

__all__ = [
    "AveragePooling2D",
    "BatchNormalization",
    "Composite",
    "Conv2D",
    "Conv2DTranspose",
    "Dense",
    "Dropout",
    "Flatten",
    "GaussianSampling",
    "Layer",
    "LeakyReLU",
    "MaxPooling2D",
    "ReLU",
    "Reshape",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "UpSampling2D",
]
