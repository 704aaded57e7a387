"""What of a DICOM file is kept, and how: an allow-list for images of MR.

DICOM PS3.15 Annex E: Basic Application Level Confidentiality Profile, with the options Clean
Descriptors, Retain Longitudinal Temporal Information with Modified Dates, and Retain Patient
Characteristics. What does not stand here is removed, as table E.1-1 has it for attributes that
must not stay (X), and as it allows for all others; those that an image must have though they tell
something (Z and D of the table) are in `EMPTY` or are written anew (`rewrite`).
"""

from __future__ import annotations

import re

#: Options of the profile, with their codes of PS3.16, CID 7050.
OPTIONS = {
    "113100": "Basic Application Confidentiality Profile",
    "113105": "Clean Descriptors Option",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
    "113108": "Retain Patient Characteristics Option",
}

METHOD = "BrainTumorSeg: allow-list after DICOM PS3.15 Annex E"

#: Must be there, and tell nothing when they are empty.
EMPTY = (
    *("PatientBirthDate", "AccessionNumber", "ReferringPhysicianName", "StudyID"),
    "PositionReferenceIndicator",
)

#: Of these only the part that is a day is moved, all of a patient by the same number of days.
DATES = frozenset(
    {
        *("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "InstanceCreationDate"),
        *("AcquisitionDateTime", "FrameAcquisitionDateTime", "FrameReferenceDateTime"),
    }
)

TIMES = frozenset(
    {
        *("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime", "InstanceCreationTime"),
    }
)

#: Identifiers; those of the standard itself stay, such as the kind of an image.
UIDS = frozenset(
    {
        *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"),
        *("FrameOfReferenceUID", "SynchronizationFrameOfReferenceUID", "ConcatenationUID"),
        *("SOPInstanceUIDOfConcatenationSource", "DimensionOrganizationUID"),
        *("ReferencedSOPClassUID", "ReferencedSOPInstanceUID", "ReferencedFrameOfReferenceUID"),
        "SourceFrameOfReferenceUID",
    }
)

#: Numbers, which cannot hold a name.
NUMBERS = frozenset(
    {
        # The image and its place.
        *("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated", "BitsStored"),
        *("HighBit", "PixelRepresentation", "PlanarConfiguration", "PixelSpacing"),
        *("PixelAspectRatio", "SmallestImagePixelValue", "LargestImagePixelValue"),
        *("PixelPaddingValue", "RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth"),
        *("ImagePositionPatient", "ImageOrientationPatient", "SliceThickness", "SliceLocation"),
        *("SpacingBetweenSlices", "AcquisitionMatrix", "ReconstructionDiameter"),
        *("PercentPhaseFieldOfView", "PercentSampling"),
        # The order of images.
        *("SeriesNumber", "AcquisitionNumber", "InstanceNumber", "ImagesInAcquisition"),
        *("NumberOfTemporalPositions", "TemporalPositionIdentifier", "TemporalPositionIndex"),
        *("InStackPositionNumber", "DimensionIndexValues", "FrameAcquisitionNumber"),
        *("InConcatenationNumber", "InConcatenationTotalNumber", "ConcatenationFrameOffsetNumber"),
        *("ReferencedFrameNumber", "StackID", "DimensionIndexPointer", "FunctionalGroupPointer"),
        # How it was taken.
        *("RepetitionTime", "EchoTime", "InversionTime", "FlipAngle", "EchoTrainLength"),
        *("EchoNumbers", "NumberOfAverages", "ImagingFrequency", "MagneticFieldStrength"),
        *("NumberOfPhaseEncodingSteps", "PixelBandwidth", "SAR", "dBdt", "TriggerTime"),
        *("DiffusionBValue", "DiffusionGradientOrientation", "EffectiveEchoTime"),
        *("InversionTimes", "RFEchoTrainLength", "GradientEchoTrainLength"),
        *("MRAcquisitionFrequencyEncodingSteps", "MRAcquisitionPhaseEncodingStepsInPlane"),
        *("MRAcquisitionPhaseEncodingStepsOutOfPlane", "FrameAcquisitionDuration"),
        *("AcquisitionDuration", "ContrastBolusVolume", "ContrastBolusTotalDose"),
        "ContrastBolusAgentNumber",
        # Retain Patient Characteristics.
        *("PatientSize", "PatientWeight"),
    }
)

#: Words out of a list that the standard or a vendor has; see `CODE`.
CODES = frozenset(
    {
        *("Modality", "ImageType", "FrameType", "PhotometricInterpretation", "PatientPosition"),
        *("ScanningSequence", "SequenceVariant", "ScanOptions", "MRAcquisitionType", "AngioFlag"),
        *("InPlanePhaseEncodingDirection", "VariableFlipAngleFlag", "EchoPulseSequence"),
        *("InversionRecovery", "EchoPlanarPulseSequence", "SpectrallySelectedSuppression"),
        *("AcquisitionContrast", "ComplexImageComponent", "PixelPresentation"),
        *("VolumetricProperties", "VolumeBasedCalculationTechnique", "PresentationLUTShape"),
        *("BodyPartExamined", "Laterality", "FrameLaterality", "ContentQualification"),
        *("LossyImageCompression", "LossyImageCompressionMethod", "RescaleType"),
        *("ContrastBolusAgentAdministered", "ContrastBolusAgentDetected", "MultipleSpinEcho"),
        *("DiffusionDirectionality", "PatientSex", "BurnedInAnnotation"),
    }
)

#: Names of models and of vendors' pulse sequences, which tell who has the scanner at most.
NAMES = frozenset({"ManufacturerModelName", "SequenceName", "PulseSequenceName"})

#: Sequences whose items are rewritten in the same way.
SEQUENCES = frozenset(
    {
        *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
        *("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence"),
        *("PixelValueTransformationSequence", "FrameVOILUTSequence", "FrameContentSequence"),
        *("MRTimingAndRelatedParametersSequence", "MREchoSequence", "MRModifierSequence"),
        *("MRImagingModifierSequence", "MRDiffusionSequence", "MRImageFrameTypeSequence"),
        *("MRAveragesSequence", "MRFOVGeometrySequence", "DiffusionGradientDirectionSequence"),
        *("ContrastBolusUsageSequence", "DimensionOrganizationSequence", "DimensionIndexSequence"),
        *("ReferencedImageSequence", "SourceImageSequence", "ReferencedInstanceSequence"),
        *("ReferencedSeriesSequence", "ReferencedImageEvidenceSequence", "FrameAnatomySequence"),
        *("DerivationImageSequence", "SourceImageEvidenceSequence"),
    }
)

#: A word of `CODES`: what the standard's code strings look like.
CODE = re.compile(r"[A-Z0-9_ ]{1,16}")

#: A word of `NAMES`: one that is not a sentence.
NAME = re.compile(r"[A-Za-z0-9*_.+ -]{1,32}")

#: Vendors by a word in what a scanner writes; others are left out.
VENDORS = {
    **{"siemens": "SIEMENS", "ge med": "GE MEDICAL SYSTEMS", "general electric": "GE"},
    **{"philips": "Philips", "toshiba": "TOSHIBA", "canon": "CANON", "hitachi": "Hitachi"},
    **{"fujifilm": "FUJIFILM", "uih": "UIH", "united imaging": "UIH", "esaote": "Esaote"},
    **{"neusoft": "Neusoft", "mindray": "Mindray", "samsung": "Samsung", "bruker": "Bruker"},
}

#: Secondary capture and its kinds: photographs of screens, in which anything may be burned in.
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

#: Attributes that name people or could be looked up; by the kind that an audit tells.
IDENTIFYING = {
    **dict.fromkeys(("PatientName", "PatientBirthName", "OtherPatientNames"), "name"),
    **dict.fromkeys(("PatientMotherBirthName", "ResponsiblePerson"), "name of a relative"),
    **dict.fromkeys(("PatientID", "OtherPatientIDs"), "identifier"),
    **dict.fromkeys(("MedicalRecordLocator", "InsurancePlanIdentification"), "identifier"),
    **{"AccessionNumber": "accession number", "InstitutionName": "hospital"},
    "PatientBirthDate": "birth date",
    **dict.fromkeys(("PatientAddress", "PatientTelephoneNumbers"), "address"),
    **dict.fromkeys(("ReferringPhysicianName", "PerformingPhysicianName"), "name of a physician"),
    **dict.fromkeys(("NameOfPhysiciansReadingStudy", "OperatorsName"), "name of a physician"),
    **dict.fromkeys(("RequestingPhysician", "PhysiciansOfRecord"), "name of a physician"),
}
