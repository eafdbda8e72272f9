"""A drawn shop: products, studio pictures and shelves, from a seed, with OpenCV and numpy alone.

    designs   what a product is: kind, words, colours, layout (facts, no pixels)
    flavours  lines of products that differ in one colour, one word or one picture
    drawing   colours, polygons, text, pasting with alpha
    labels    the printed face of a product, flat
    packages  the product as an object: carton, box, can, bottle, jar, bag with its outline and its light
    views     studio pictures of a product, as a web shop has them
    scenes    a shelf bay with rails, price labels and products, seen by a camera
    photos    photos of a product taken at some shelf
    training  pictures of thousands of products, hundreds a second
    shelves   a bay that was sold from: facings, gaps, things misplaced and fallen, a shopper
    barcodes  EAN-13 and Code 128
    parcels   the belt of a dock, with labels that a reader reads
    people    shoppers and hands
    kiosk     a hand that holds a product up
    visit     a visit to a kiosk, frame by frame
    camera    the light on a scene, and the camera's noise
    sheet     all of it in one picture to look at: python -m tools.synth.sheet OUT.png
    script    what the bay shows at a time, and the frames with their ground truth
    stories   half an hour of a shelf, with what is true of each of its slots

Every scene has its ground truth as plain data. The same seed gives the same products and scenes; pixels may
differ slightly between OpenCV versions.
"""
