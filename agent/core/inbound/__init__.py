"""Receiving: what is expected, what passed, and what that adds up to.

`settings.py`: of one dock. `orders.py`: what is expected, `order_files.py` reads it from CSV and JSON.
`gate.py`: where things pass. `parcels.py`: which of the things that are followed is which parcel.
`naming.py`: what a parcel is, by its barcodes and by its picture. `session.py`: a shipment, counted.
`epcis.py`: the same for others.
"""
