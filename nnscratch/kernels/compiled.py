"""All compiled kernels, under the names that `reference` has for them."""

from nnscratch.kernels.compiled_channels import (
    channel_moments,
    channel_sum,
    normalize,
    normalize_input_gradient,
)
from nnscratch.kernels.compiled_convolution import (
    conv2d,
    conv2d_input_gradient,
    conv2d_weight_gradient,
)
from nnscratch.kernels.compiled_pointwise import (
    adam,
    leaky_relu,
    leaky_relu_input_gradient,
    relu,
    relu_input_gradient,
    squared_error,
)
from nnscratch.kernels.compiled_pooling import (
    average_pool2d,
    average_pool2d_input_gradient,
    max_pool2d,
    max_pool2d_input_gradient,
)
from nnscratch.kernels.compiled_upsampling import upsample2d, upsample2d_input_gradient

__all__ = [
    "adam",
    "average_pool2d",
    "average_pool2d_input_gradient",
    "channel_moments",
    "channel_sum",
    "conv2d",
    "conv2d_input_gradient",
    "conv2d_weight_gradient",
    "leaky_relu",
    "leaky_relu_input_gradient",
    "max_pool2d",
    "max_pool2d_input_gradient",
    "normalize",
    "normalize_input_gradient",
    "relu",
    "relu_input_gradient",
    "squared_error",
    "upsample2d",
    "upsample2d_input_gradient",
]
