"""Spotter: an edge agent that recognises products."""

import os

# OpenCV reads these when it is imported, which therefore must not happen before these lines.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "50000000")  # its own is 2^30: 3 GB for one picture
os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")  # failures are said in our own errors, without passwords
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # the same for FFmpeg, which would print URLs
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "3")  # seconds; its own is 10 without a picture
# TCP first, as OpenCV would have it; and do not wait for 20 pictures to learn the rate of a stream, which
# nobody asks for: an RTSP camera of 15 pictures a second opens in 0.7 s instead of 2.0.
os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_flags;prefer_tcp|fpsprobesize;1")
# Read by NumPy's OpenBLAS at its import. Sums differ in their last bits with the number of threads, and a
# release must not depend on the cores of whoever builds it. Besides, threads that wait spin: fitting a
# projection took 13 s of CPU with two on a busy machine, 2.3 with one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
