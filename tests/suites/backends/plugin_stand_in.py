"""In the place of a plug-in package of ONNX Runtime: it says where its library is."""


def get_library_path() -> str:
    return "/plugin/libprovider.so"
