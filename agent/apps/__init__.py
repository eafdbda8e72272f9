"""What a recognition means here: reducers `update(frame, recognitions) -> events`."""
