"""Spotter: an edge agent that recognises products."""

import os

# OpenCV reads these once, when it is imported, which therefore must not happen before this line.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "50000000")  # its own limit is 2^30: 3 GB for one picture
os.environ.setdefault(
    "OPENCV_LOG_LEVEL", "OFF"
)  # what fails is said in our own errors, once, without passwords
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # the same for FFmpeg, which would print URLs

__version__ = "0.1.0"
